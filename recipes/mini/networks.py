"""Teacher and student as transformers' BERT, over the pieces that are kept."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForMaskedLM, BertModel

from recipes.mini.teacher import Teacher, layer_tensors, rows

LAYERS, POSITIONS = 6, 130


def config_of(teacher: Teacher, *, layers: int, vocabulary: int) -> BertConfig:
    """The teacher's shape with ``layers`` layers and ``vocabulary`` pieces, without dropout."""
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=teacher.width,
        num_hidden_layers=layers,
        num_attention_heads=teacher.heads,
        intermediate_size=teacher.inner,
        max_position_embeddings=POSITIONS,
        type_vocab_size=2,
        layer_norm_eps=teacher.eps,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=1,
    )
    config._attn_implementation = (
        "eager"  # two products and a softmax train fastest in bfloat16 here
    )
    return config


def embedding_tensors(teacher: Teacher, kept: list[int]) -> dict[str, Tensor]:
    """The teacher's embeddings of the pieces ``kept``, under transformers' names."""
    words = rows(teacher, "emb.word")
    picked = list(kept)
    # `<mask>` is the last piece, but its row follows the places XLM-R reserves: the file keeps the order of pieces.
    return {
        "word_embeddings.weight": words[picked],
        "position_embeddings.weight": rows(teacher, "emb.pos")[:POSITIONS],
        "token_type_embeddings.weight": rows(teacher, "emb.type"),
        "LayerNorm.weight": torch.from_numpy(teacher.tensors["emb.ln.w"].copy()),
        "LayerNorm.bias": torch.from_numpy(teacher.tensors["emb.ln.b"].copy()),
    }


def teacher_model(teacher: Teacher, kept: list[int]) -> BertModel:
    """The teacher, frozen, in evaluation mode."""
    config = config_of(teacher, layers=teacher.layers, vocabulary=len(kept))
    model = BertModel(config, add_pooling_layer=False)
    load(model.embeddings, embedding_tensors(teacher, kept))
    for number, layer in enumerate(model.encoder.layer):
        load(layer, layer_tensors(teacher, number))
    frozen: BertModel = model.requires_grad_(False).train(False)
    return frozen


def student_model(teacher: Teacher, kept: list[int]) -> BertForMaskedLM:
    """The student before training: the teacher's embeddings and every second one of its layers."""
    config = config_of(teacher, layers=LAYERS, vocabulary=len(kept))
    model = BertForMaskedLM(config)
    load(model.bert.embeddings, embedding_tensors(teacher, kept))
    step = teacher.layers // LAYERS
    for number, layer in enumerate(model.bert.encoder.layer):
        load(layer, layer_tensors(teacher, step * number + step - 1))
    transform = model.cls.predictions.transform
    nn.init.eye_(transform.dense.weight)
    model.tie_weights()
    return model


def load(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Copy ``tensors`` into ``module``; every parameter of it must be among them."""
    missing, unexpected = module.load_state_dict(tensors, strict=False)
    if unexpected or [name for name in missing if not name.endswith("position_ids")]:
        raise SystemExit(f"missing {missing}, unexpected {unexpected}")


def hidden_states(model: Any, ids: Tensor, attended: Tensor | None) -> list[Tensor]:
    """The outputs of every layer, each of shape ``(rows, length, width)``."""
    answer = model(input_ids=ids, attention_mask=attended, output_hidden_states=True)
    return list(answer.hidden_states[1:])
