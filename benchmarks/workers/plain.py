"""Plain torch, transformers and peft, written as a good engineer would; adapterkit is not imported here."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.protocol import Done, Line, Message, Turnstile, main, serve, timed
from benchmarks.workers.common import (
    DTYPES,
    mask_at_random,
    prepare,
    random_ids,
    random_rows,
    waiting,
)


class Bottleneck(nn.Module):
    """``x + up(relu(down(norm(x))))``: a Pfeiffer adapter before the frozen norm of a layer."""

    def __init__(self, width: int, inside: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, inside), nn.Linear(inside, width)

    def forward(self, x: Tensor, norm: nn.Module) -> Tensor:
        """Shape ``(batch, length, width)``."""
        change: Tensor = self.up(functional.relu(self.down(norm.forward(x))))
        return x + change


class Coupling(nn.Module):
    """A NICE coupling of the embeddings, and its inverse."""

    def __init__(self, half: int, inside: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(half, inside), nn.ReLU(), nn.Linear(inside, half))
        self.second = nn.Sequential(nn.Linear(half, inside), nn.ReLU(), nn.Linear(inside, half))

    def forward(self, x: Tensor) -> Tensor:
        """Shape ``(..., width)``."""
        a, b = x.chunk(2, dim=-1)
        a = a + self.first(b)
        return torch.cat((a, b + self.second(a)), dim=-1)

    def inverse(self, y: Tensor) -> Tensor:
        """Shape ``(..., width)``."""
        a, b = y.chunk(2, dim=-1)
        b = b - self.second(a)
        return torch.cat((a - self.first(b), b), dim=-1)


class Adapted(nn.Module):
    """A frozen BERT masked LM with bottlenecks in all layers, a coupling, and masked-only logits."""

    def __init__(self, folder: str, factor: int) -> None:
        super().__init__()
        from transformers import AutoModelForMaskedLM

        auto: Any = AutoModelForMaskedLM
        self.frozen: Any = auto.from_pretrained(folder, dtype=torch.float32)
        self.frozen.requires_grad_(False).eval()
        width = self.frozen.config.hidden_size
        layers = self.frozen.bert.encoder.layer
        self.bottlenecks = nn.ModuleList(Bottleneck(width, width // factor) for _ in layers)
        self.coupling = Coupling(width // 2, width // 2 // factor)
        for layer, bottleneck in zip(layers, self.bottlenecks, strict=True):
            layer.output.LayerNorm.register_forward_pre_hook(
                lambda norm, args, bottleneck=bottleneck: (bottleneck(args[0], norm),)
            )
        self.frozen.bert.embeddings.register_forward_hook(lambda *call: self.coupling(call[2]))

    def forward(self, ids: Tensor, targets: Tensor) -> Tensor:
        """Mean loss at masked positions, a scalar. Both have shape ``(batch, length)``."""
        wanted = targets != -100
        hidden = self.frozen.bert(input_ids=ids).last_hidden_state[wanted]
        head = self.frozen.cls.predictions
        logits = head.decoder(self.coupling.inverse(head.transform(hidden)))
        return functional.cross_entropy(logits.float(), targets[wanted])


def training(line: Line, spec: Message) -> None:
    """A loop over float32 weights, with bf16 autocast if asked for, and fused AdamW."""
    prepare()
    torch.manual_seed(0)
    model = Adapted(spec["backbone"], factor=2).to(spec["device"])
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.0, fused=True)
    vocabulary, mask = model.frozen.config.vocab_size, _mask_id(spec["backbone"])
    rows = random_rows(spec["blocks"], spec["length"], vocabulary)
    generator = torch.Generator().manual_seed(0)
    stile = Turnstile(line, waiting(spec["device"]))
    tokens = 0
    try:
        while True:
            stile.passing(tokens)
            chosen = torch.randint(len(rows), (spec["batch"],), generator=generator).numpy()
            ids = torch.from_numpy(rows[chosen].astype(np.int64))
            batch = mask_at_random(ids, vocabulary, mask, generator)
            with torch.autocast(spec["device"], torch.bfloat16, enabled=spec["autocast"]):
                loss = model(*(part.to(spec["device"]) for part in batch))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            tokens = ids.numel()
    except Done:
        return


def _mask_id(folder: str) -> int:
    from transformers import AutoTokenizer

    auto: Any = AutoTokenizer
    return int(auto.from_pretrained(folder).mask_token_id)


def inference(line: Line, spec: Message) -> None:
    """The forward pass of the base model; with ``lora``, of the peft library's model."""
    from transformers import AutoModel

    prepare()
    auto: Any = AutoModel
    dtype = DTYPES[spec["dtype"]]
    model = auto.from_pretrained(spec["backbone"], dtype=dtype, attn_implementation="sdpa")
    if spec.get("lora"):
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(model, LoraConfig(r=8, target_modules=spec["lora"]))
    model.requires_grad_(False).eval().to(spec["device"])
    ids = random_ids(spec, model.config.vocab_size)
    mask = torch.ones_like(ids)

    def step() -> int:
        with torch.no_grad():
            model(input_ids=ids, attention_mask=mask)
        return ids.numel()

    serve(line, timed(step, waiting(spec["device"])))


if __name__ == "__main__":
    main({"training": training, "inference": inference})
