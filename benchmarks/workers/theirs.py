"""The `adapters` library in its documented way. Runs in its own environment; adapterkit is not imported here."""

import tempfile
from typing import Any

import numpy as np
import torch

from benchmarks.protocol import Done, Line, Message, Turnstile, main, serve, timed
from benchmarks.workers.common import prepare, random_ids, random_rows, waiting


def training(line: Line, spec: Message) -> None:
    """Language-adapter training with `AdapterTrainer`, step by step as the parent says."""
    from transformers import AutoTokenizer, DataCollatorForLanguageModeling

    prepare()
    model = _masked_lm(spec["backbone"])
    tokenizer: Any = AutoTokenizer.from_pretrained(spec["backbone"])
    rows = random_rows(spec["blocks"], spec["length"], model.config.vocab_size)
    blocks = [{"input_ids": torch.from_numpy(row.astype(np.int64))} for row in rows]
    collator: Any = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)
    stile = Turnstile(line, waiting(spec["device"]))
    callback = _between_steps(stile, spec["batch"] * spec["length"])
    with tempfile.TemporaryDirectory() as folder:
        arguments = _arguments(spec, folder, steps=100_000, learning_rate=1e-4)
        trainer = _trainer(model, arguments, blocks, collator, [callback])
        try:
            trainer.train()
        except Done:
            return


def quality(line: Line, spec: Message) -> None:
    """Train on given masked batches and answer with the held-out loss in nats a masked token."""
    from transformers import default_data_collator

    prepare()

    def work(message: Message) -> Message:
        torch.manual_seed(int(message["seed"]))
        model = _masked_lm(spec["backbone"])
        if spec["frozen_head"]:
            _freeze_head(model)
        with np.load(message["batches"]) as given, tempfile.TemporaryDirectory() as folder:
            rows = _examples(given["ids"], given["targets"])
            arguments = _arguments(
                spec, folder, steps=len(given["ids"]), learning_rate=spec["learning_rate"]
            )
            _trainer(model, arguments, rows, default_data_collator, []).train()
            return {"loss": _loss(model, given["heldout_ids"], given["heldout_targets"])}

    serve(line, work)


def loop(line: Line, spec: Message) -> None:
    """Inference in many languages, one row at a time with its own language's stack active."""
    import adapters
    from adapters.composition import Stack
    from transformers import AutoModel

    prepare()
    auto: Any = AutoModel
    model = auto.from_pretrained(spec["backbone"], dtype=getattr(torch, spec["dtype"]))
    adapters.init(model)
    names = [f"language{number}" for number in range(spec["batch"])]
    for name in names:
        model.add_adapter(name, config=adapters.SeqBnInvConfig(reduction_factor=2))
    model.add_adapter("task", config=adapters.SeqBnConfig(reduction_factor=16))
    model.to(device=spec["device"], dtype=getattr(torch, spec["dtype"])).eval()
    ids = random_ids(spec, model.config.vocab_size)

    def step() -> int:
        with torch.no_grad():
            for number, name in enumerate(names):
                model.set_active_adapters(Stack(name, "task"))
                model(input_ids=ids[number : number + 1])
        return ids.numel()

    serve(line, timed(step, waiting(spec["device"])))


def _masked_lm(folder: str) -> Any:
    import adapters
    from transformers import AutoModelForMaskedLM

    auto: Any = AutoModelForMaskedLM
    model = auto.from_pretrained(folder, dtype=torch.float32)
    adapters.init(model)
    model.add_adapter("language", config=adapters.SeqBnInvConfig(reduction_factor=2))
    model.train_adapter("language")
    return model


def _freeze_head(model: Any) -> None:
    """Train the adapter only: by default the library trains the masked-LM head's own layers along."""
    for name, parameter in model.named_parameters():
        if "adapters." not in name:
            parameter.requires_grad_(False)


def _arguments(spec: Message, folder: str, *, steps: int, learning_rate: float) -> Any:
    import transformers

    arguments: Any = transformers.TrainingArguments  # typed after transformers 5, run on 4.57
    return arguments(
        output_dir=folder,
        per_device_train_batch_size=spec["batch"],
        max_steps=steps,
        learning_rate=learning_rate,
        lr_scheduler_type="linear",
        warmup_ratio=0.06,
        weight_decay=0.0,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=spec["device"] == "cpu",
    )


def _trainer(
    model: Any, arguments: Any, rows: list[Any], collator: Any, callbacks: list[Any]
) -> Any:
    from adapters import AdapterTrainer
    from torch.utils.data import SequentialSampler

    class InOrder(AdapterTrainer):  # type: ignore[misc] # the library is untyped here
        """The same batches for everyone: rows are read in their order."""

        def _get_train_sampler(self, *arguments: Any) -> Any:
            return SequentialSampler(rows)

    return InOrder(
        model=model,
        args=arguments,
        train_dataset=rows,
        data_collator=collator,
        callbacks=callbacks,
    )


def _between_steps(stile: Turnstile, tokens: int) -> Any:
    from transformers import TrainerCallback

    class Between(TrainerCallback):
        """Stops at the turnstile before each step."""

        def on_step_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            stile.passing(tokens if state.global_step else 0)

    return Between()


def _examples(ids: np.ndarray[Any, Any], targets: np.ndarray[Any, Any]) -> list[dict[str, Any]]:
    """Rows of batches ``(steps, batch, length)``, in order, as the trainer takes them."""
    pairs = zip(ids.reshape(-1, ids.shape[-1]), targets.reshape(-1, ids.shape[-1]), strict=True)
    return [
        {"input_ids": one.astype(np.int64), "attention_mask": np.ones_like(one), "labels": wanted}
        for one, wanted in ((a, b.astype(np.int64)) for a, b in pairs)
    ]


def _loss(model: Any, ids: np.ndarray[Any, Any], targets: np.ndarray[Any, Any]) -> float:
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for one, wanted in zip(ids, targets, strict=True):
            labels = torch.from_numpy(wanted.astype(np.int64)).to(model.device)
            asked = int((labels != -100).sum())
            inputs = torch.from_numpy(one.astype(np.int64)).to(model.device)
            total += float(model(input_ids=inputs, labels=labels).loss) * asked
            count += asked
    return total / count


if __name__ == "__main__":
    main({"training": training, "quality": quality, "loop": loop})
