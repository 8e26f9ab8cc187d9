"""`self-train`: a task adapter goes on with labels that it gives to raw text itself."""

from pathlib import Path
from typing import Annotated

import typer

from adapterkit.cli.options import (
    BackboneName,
    Device,
    Dtype,
    Encoding,
    Fresh,
    Json,
    LanguageCode,
    LearningRate,
    Overwrite,
    Seed,
    TextField,
    load_stack,
    load_to_train,
    print_json,
    tell_training,
)


def self_train(
    text: Annotated[
        list[Path], typer.Option("--text", help="Raw text of the target; repeat for several files.")
    ],
    language: LanguageCode,
    init: Annotated[
        str, typer.Option("--init", help="Task adapter to go on from; it tags words (mini:pos).")
    ],
    over: Annotated[
        str, typer.Option("--over", help="The target's language adapter. Empty: none.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the new task adapter.")],
    backbone: BackboneName = "mini",
    sentences: Annotated[
        int, typer.Option("--sentences", help="Lines of the text that are labelled.")
    ] = 1500,
    rounds: Annotated[
        int, typer.Option("--rounds", help="How often they are labelled and learnt.")
    ] = 2,
    by_word: Annotated[
        float,
        typer.Option(
            "--by-word",
            help="Weight in a label of what is said of the word everywhere, from 0 to 1.",
        ),
    ] = 0.75,
    epochs: Annotated[
        float, typer.Option("--epochs", help="Passes over the sentences, a round.")
    ] = 2.0,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Sentences a step.")] = 16,
    learning_rate: LearningRate = None,
    encoding: Encoding = None,
    text_field: TextField = "text",
    seed: Seed = 0,
    device: Device = None,
    dtype: Dtype = None,
    fresh: Fresh = False,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Let a task adapter go on with labels that it gives to raw text itself; no labels are needed.

    Example: adapterkit self-train --text cym.txt --language cym --init mini:pos --over adapters/cym --out adapters/cym-pos
    """
    from adapterkit.data.corpus import Corpus
    from adapterkit.formats.adapterhub import load_adapter
    from adapterkit.settings import SelfTrainingConfig
    from adapterkit.training import self_training as training

    config = SelfTrainingConfig(
        sentences=sentences,
        rounds=rounds,
        by_word=by_word,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        seed=seed,
    )
    tell_training()
    adapter = training.self_train(
        load_to_train(backbone, out, device=device, dtype=dtype, precision=config.precision),
        Corpus.from_files(text, language=language, encoding=encoding, text_field=text_field),
        over=load_stack(over) if over else None,
        init=load_adapter(init),
        out=out,
        config=config,
        fresh=fresh,
        overwrite=overwrite,
    )
    learnt = adapter.provenance["self_training"]["sentences"]
    if json:
        run = adapter.provenance["run"]
        print_json(
            {
                "out": str(out),
                "labels": list(adapter.labels),
                "sentences": learnt,
                "rounds": rounds,
                "steps": run["steps"],
                "tokens": run["tokens"],
            }
        )
        return
    typer.echo(f"went on with its own labels of {learnt:,} sentences, {rounds} times")
    typer.echo(f"adapter: {out}; use it over {over or 'no language adapter'}")
