"""Make the golden files of every option of the bottleneck family, heads, fusions and composition folders.

    python -m tests.golden.make_options

Run it where `make` runs: beside adapters 1.3.0. It uses the backbones that `make` wrote.
"""

from pathlib import Path
from typing import Any

import torch

from adapterkit.nn.activations import activation_names
from adapterkit.tensorfile import write_tensors
from tests.golden.make import FOLDER, IDS

TYPES = ("bert", "distilbert")
MASK = (IDS != 1).long()
# What adapters cannot save as safetensors, because it names the same tensor twice.
PICKLED = ("ln_before",)
ROUND = {"relu", "gelu", "swish"}


def options() -> dict[str, Any]:
    """A configuration for each option."""
    import adapters

    seq, double, par = adapters.SeqBnConfig, adapters.DoubleSeqBnConfig, adapters.ParBnConfig
    plain = {"reduction_factor": 8}
    return {
        "houlsby": double(**plain),
        "houlsby_inv": adapters.DoubleSeqBnInvConfig(**plain),
        "parallel": par(**plain),
        "scaled_parallel": par(scaling="learned", **plain),
        "parallel_attention": par(mh_adapter=True, **plain),
        "channel": seq(scaling="channel", **plain),
        "by_layer": seq(reduction_factor={"0": 16, "default": 8}),
        "leave_out": seq(leave_out=[0, 2], **plain),
        "gate": seq(use_gating=True, **plain),
        "gate_parallel": par(use_gating=True, **plain),
        "ln_before": seq(ln_before=True, **plain),
        "ln_after": seq(ln_after=True, **plain),
        "ln_after_residual": seq(ln_after=True, adapter_residual_before_ln=True, **plain),
        "residual_after_norm": seq(residual_before_ln=False, **plain),
        "post_add": seq(residual_before_ln="post_add", **plain),
    }


def make(model_type: str) -> None:
    """Write ``FOLDER/options/model_type``: an adapter folder for each option, and all outputs."""
    place = FOLDER / "options" / model_type
    place.mkdir(parents=True, exist_ok=True)
    outputs = {}
    for name, config in options().items():
        model = fresh(model_type)
        model.add_adapter(name, config=config)
        stir(model)
        model.save_adapter(
            str(place / name), name, with_head=False, use_safetensors=name not in PICKLED
        )
        outputs[name] = run(model, name)
    outputs |= fusions(model_type, place)
    outputs |= heads(model_type, place)
    write_tensors(place / "outputs.safetensors", outputs)


def fresh(model_type: str) -> Any:
    """The backbone with flexible heads, as `adapters` loads it."""
    from adapters import AutoAdapterModel

    torch.manual_seed(3)
    model = AutoAdapterModel.from_pretrained(FOLDER / model_type / "backbone")
    model.config._name_or_path = model.name_or_path = f"tiny-{model_type}"
    for head in list(model.heads):
        model.delete_head(head)
    return model.eval()


def stir(model: Any) -> None:
    """Move every adapter weight off its start, so that all of them show."""
    for name, parameter in model.named_parameters():
        if "adapter" in name or name.startswith("heads."):
            parameter.data.add_(torch.randn_like(parameter) * 0.2)


@torch.no_grad()
def run(model: Any, active: Any, head: Any = None) -> torch.Tensor:
    """Output in float64: of the head, or the last hidden state."""
    model.double().eval()
    model.set_active_adapters(active)
    if head is not None:
        model.active_head = head
        out: torch.Tensor = model(input_ids=IDS, attention_mask=MASK).logits
        return out
    hidden: torch.Tensor = model.base_model(input_ids=IDS, attention_mask=MASK).last_hidden_state
    return hidden


def fusions(model_type: str, place: Path) -> dict[str, torch.Tensor]:
    """AdapterFusion, alone and in a stack, as composition folders."""
    import adapters
    from adapters.composition import Fuse, Stack

    outputs = {}
    early = adapters.DynamicAdapterFusionConfig(query_before_ln=True, residual_before=True)
    for kind in ("static", "dynamic", "early"):
        model = fresh(model_type)
        model.add_adapter("one", config=adapters.SeqBnInvConfig(reduction_factor=8))
        model.add_adapter("two", config=adapters.SeqBnConfig(reduction_factor=4))
        model.add_adapter("top", config=adapters.SeqBnConfig(reduction_factor=8))
        model.add_adapter_fusion(["one", "two"], config=early if kind == "early" else kind)
        stir(model)
        for name, setup in (
            (f"fuse_{kind}", Fuse("one", "two")),
            (f"stack_{kind}", Stack(Fuse("one", "two"), "top")),
        ):
            model.save_adapter_setup(str(place / name), setup, use_safetensors=True)
            outputs[name] = run(model, setup)
            model.float()
    return outputs


def heads(model_type: str, place: Path) -> dict[str, torch.Tensor]:
    """Every head, saved with its adapter."""
    import adapters

    labels = {0: "A", 1: "B", 2: "C"}
    outputs = {}
    for kind in ("tagging", "classification", "one_layer", "multilabel", "masked_lm"):
        model = fresh(model_type)
        config = adapters.SeqBnInvConfig if kind == "masked_lm" else adapters.SeqBnConfig
        model.add_adapter(kind, config=config(reduction_factor=8))
        if kind == "tagging":
            model.add_tagging_head(kind, num_labels=3, id2label=labels)
        elif kind == "masked_lm":
            model.add_masked_lm_head(kind)
        else:
            model.add_classification_head(
                kind,
                num_labels=3,
                layers=1 if kind == "one_layer" else 2,
                multilabel=kind == "multilabel",
                id2label=labels,
            )
        stir(model)
        model.save_adapter(str(place / kind), kind, with_head=True, use_safetensors=True)
        outputs[kind] = run(model, kind, kind)
    return outputs


def activations() -> None:
    """One output for each activation that both libraries know."""
    from transformers.activations import ACT2FN

    x = torch.linspace(-12, 12, 97, dtype=torch.float64)
    known = [name for name in activation_names() if name in ACT2FN]
    values = {name: ACT2FN[name](x).clone() for name in known}
    write_tensors(FOLDER / "options" / "activations.safetensors", {"x": x, **values})


if __name__ == "__main__":
    for one in TYPES:
        make(one)
    activations()
