"""`train-language`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from adapterkit.cli.options import (
    NO_RANK,
    BackboneName,
    Device,
    Dtype,
    Encoding,
    Fresh,
    Json,
    LanguageCode,
    LearningRate,
    MaxMinutes,
    Method,
    Overwrite,
    Rank,
    Seed,
    TextField,
    load_to_train,
    peak_memory_bytes,
    print_json,
    refuse,
    say,
    tell_training,
)


def train_language(
    text: Annotated[list[Path], typer.Option("--text", help="Raw text; repeat for several files.")],
    language: LanguageCode,
    out: Annotated[Path, typer.Option("--out", help="Folder of the adapter.")],
    backbone: BackboneName = "mini",
    init: Annotated[
        str | None, typer.Option("--init", help="Start from this adapter (mini:eng, a relative's).")
    ] = None,
    over: Annotated[
        str | None, typer.Option("--over", help="Train a domain adapter over this one.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", help="Optimizer steps; default by size of text.")
    ] = None,
    max_minutes: MaxMinutes = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", help="Blocks a step.")] = None,
    block_length: Annotated[
        int | None, typer.Option("--block-length", help="Tokens a block.")
    ] = None,
    learning_rate: LearningRate = None,
    reduction_factor: Annotated[
        float | None, typer.Option("--reduction-factor", help="2, or 16 for little text.")
    ] = None,
    method: Method = "pfeiffer",
    rank: Rank = None,
    invertible: Annotated[
        bool, typer.Option("--invertible/--no-invertible", help="A coupling on the embeddings.")
    ] = True,
    upper_layers: Annotated[
        int | None,
        typer.Option("--upper-layers", help="Bottlenecks in so many upper layers only."),
    ] = None,
    restrict_vocabulary: Annotated[
        bool,
        typer.Option("--restrict-vocabulary", help="Train over the text's own pieces only."),
    ] = False,
    embedding_rows: Annotated[
        bool,
        typer.Option("--embedding-rows", help="Also train the rows of the text's own pieces."),
    ] = False,
    embedding_rows_at_least: Annotated[
        int | None,
        typer.Option(
            "--embedding-rows-at-least", help="Only of pieces that occur so often; by default 5."
        ),
    ] = None,
    embedding_rows_rate: Annotated[
        float | None,
        typer.Option("--embedding-rows-rate", help="Factor on their learning rate; by default 1."),
    ] = None,
    keep_start: Annotated[
        float | None,
        typer.Option(
            "--keep-start",
            help="Share of --init that stays in the result; by default 0.4 of another language's.",
        ),
    ] = None,
    evaluate_every: Annotated[
        int | None, typer.Option("--evaluate-every", help="Steps between checkpoints.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", help="float32 or bfloat16; default measured.")
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option("--license", "--licence", help="Of the text, recorded with the adapter."),
    ] = None,
    encoding: Encoding = None,
    text_field: TextField = "text",
    seed: Seed = 0,
    device: Device = None,
    dtype: Dtype = None,
    fresh: Fresh = False,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Train a language adapter from raw text. The same command goes on after a stop.

    Example: adapterkit train-language --text cym.txt --language cym --init mini:eng --out adapters/cym
    """
    from adapterkit.data.corpus import Corpus
    from adapterkit.errors import ConfigError
    from adapterkit.formats.adapterhub import load_adapter
    from adapterkit.settings import LanguageConfig
    from adapterkit.training import language as training

    if precision not in (None, "float32", "bfloat16"):
        raise ConfigError(f"--precision {precision}: must be float32 or bfloat16")
    refuse({"--rank": rank if method != "lora" else None}, NO_RANK.format(method))
    rows = {
        "--embedding-rows-at-least": embedding_rows_at_least,
        "--embedding-rows-rate": embedding_rows_rate,
    }
    refuse({} if embedding_rows else rows, "no rows are trained without --embedding-rows; add it")
    usual = LanguageConfig()
    config = LanguageConfig(
        reduction_factor=reduction_factor,
        invertible=invertible,
        upper_layers=upper_layers,
        restrict_vocabulary=restrict_vocabulary,
        embedding_rows=embedding_rows,
        embedding_rows_at_least=usual.embedding_rows_at_least
        if embedding_rows_at_least is None
        else embedding_rows_at_least,
        embedding_rows_rate=usual.embedding_rows_rate
        if embedding_rows_rate is None
        else embedding_rows_rate,
        keep_start=keep_start,
        steps=steps,
        max_minutes=max_minutes,
        batch_size=usual.batch_size if batch_size is None else batch_size,
        block_length=block_length,
        learning_rate=learning_rate,
        evaluate_every=evaluate_every,
        precision=precision,  # type: ignore[arg-type]
        method=method,
        rank=usual.rank if rank is None else rank,
        seed=seed,
    )
    tell_training()
    adapter = training.train_language(
        load_to_train(backbone, out, device=device, dtype=dtype, precision=config.precision),
        Corpus.from_files(
            text, language=language, encoding=encoding, text_field=text_field, licence=licence
        ),
        out=out,
        config=config,
        over=load_adapter(over) if over else None,
        init=load_adapter(init) if init else None,
        fresh=fresh,
        overwrite=overwrite,
    )
    _report(adapter.provenance, out, json=json)


def _report(provenance: dict[str, Any], out: Path, *, json: bool) -> None:
    run, loss = provenance["run"], provenance["heldout_loss"]
    record = {
        "out": str(out),
        "heldout_loss": loss,
        "tokens": run["tokens"],
        "tokens_per_second": round(run["tokens"] / max(run["seconds"], 1e-9), 1),
        "peak_memory_bytes": peak_memory_bytes(),
        "steps": run["steps"],
        "best_step": run["best_step"],
        "started_at_steps": run["started_at_steps"],
        "softmax_pieces": provenance["softmax_pieces"],
        "embedding_rows": provenance.get("embedding_rows", 0),
    }
    if json:
        print_json(record)
        return
    typer.echo(
        f"held-out loss: backbone alone {loss['backbone']:.3f}, with the adapter {loss['adapter']:.3f}"
    )
    typer.echo(
        f"{run['steps']} steps, {run['tokens']:,} tokens, {record['tokens_per_second']:,.0f} tokens/s"
    )
    if provenance["config"]["restrict_vocabulary"]:
        typer.echo(f"trained over the text's own {record['softmax_pieces']:,} pieces")
    if record["embedding_rows"]:
        typer.echo(f"with the rows of {record['embedding_rows']:,} pieces of the vocabulary")
    typer.echo(f"adapter: {out}")
    if loss["adapter"] >= loss["backbone"]:
        say(
            "warning: the adapter predicts this text no better than the backbone alone; train longer, or add text"
        )
