"""The multiply-adds that a training step of a language adapter really needs. Pure arithmetic.

What is frozen needs no weight gradients, the language-model head only the masked positions, and backward
stops at the coupling on the embeddings. With ``n`` tokens in rows of ``l``, ``m`` of them masked, ``w`` the
width, ``f`` the feed-forward width, ``V`` the vocabulary, ``b`` the bottleneck, ``c`` the width inside the
coupling:

- linear layers of a frozen layer: ``n (4 w w + 2 w f)`` (``3 w f`` with a gate), forward and once more for
  the gradient of the input; in the last layer of a post-norm encoder only ``n 3 w w + m (w w + 2 w f)``, and its
  bottleneck at ``m`` positions: behind attention nothing mixes positions, and nobody looks at the others;
- attention of a layer, scores and values: ``2 n l w`` forward, twice that backward (both factors of both
  products are activations);
- a bottleneck: ``2 n w b``, three times (forward, gradient of the input, gradient of the weights);
- the coupling on the embeddings: four products of ``n c w/2``, three times, but the first has no gradient
  of its input, which is frozen; its inverse at masked positions: four of ``m c w/2``, three times;
- the head at masked positions: ``m (w w + w V)``, forward and gradient of the input.

Norms, activations, softmax, embeddings and the optimizer are left out: they are not matrix products.
"""

from dataclasses import dataclass

from benchmarks.shapes import Shape


@dataclass(frozen=True)
class Step:
    """One step of training an invertible bottleneck adapter in every layer.

    Attributes:
        tokens: In the batch.
        length: Of a row.
        masked: Positions with a target.
        bottleneck: Width inside the bottlenecks.
        coupling: Width inside the coupling's four matrices' nets.
    """

    tokens: int
    length: int
    masked: int
    bottleneck: int
    coupling: int


def step_of(shape: Shape, *, batch: int, length: int, masking: float, factor: int) -> Step:
    """The step of an adapter with reduction factor ``factor`` in bottlenecks and coupling."""
    tokens = batch * length
    inside, coupling = shape.width // factor, shape.width // 2 // factor
    return Step(tokens, length, round(masking * tokens), inside, coupling)


def layer_forward(shape: Shape, step: Step, *, last: bool = False) -> int:
    """Multiply-adds of one frozen layer's linear layers, forward."""
    rest = shape.width**2 + (3 if shape.gated else 2) * shape.width * shape.inner
    return step.tokens * 3 * shape.width**2 + behind_attention(shape, step, last=last) * rest


def behind_attention(shape: Shape, step: Step, *, last: bool) -> int:
    """Positions that a layer needs to compute behind its attention."""
    return step.masked if last and shape.post_norm else step.tokens


def attention_forward(shape: Shape, step: Step) -> int:
    """Multiply-adds of one layer's attention scores and values, forward."""
    return 2 * step.tokens * step.length * shape.width


def bottleneck(shape: Shape, step: Step, *, last: bool = False) -> int:
    """Multiply-adds of one layer's bottleneck, forward and both gradients."""
    return 3 * 2 * behind_attention(shape, step, last=last) * shape.width * step.bottleneck


def coupling(shape: Shape, step: Step) -> int:
    """Multiply-adds of the coupling on the embeddings and of its inverse at masked positions."""
    product = step.coupling * shape.width // 2
    return 11 * step.tokens * product + 12 * step.masked * product


def head(shape: Shape, step: Step) -> int:
    """Multiply-adds of the language-model head at masked positions, forward and backward."""
    return 2 * step.masked * (shape.width**2 + shape.width * shape.vocabulary)


def parts(shape: Shape, step: Step) -> dict[str, int]:
    """Multiply-adds of a step by what they are for."""
    lower = shape.layers - 1
    layers = lower * layer_forward(shape, step) + layer_forward(shape, step, last=True)
    bottlenecks = lower * bottleneck(shape, step) + bottleneck(shape, step, last=True)
    return {
        "linear_layers": 2 * layers,
        "attention": shape.layers * 3 * attention_forward(shape, step),
        "bottlenecks": bottlenecks,
        "coupling": coupling(shape, step),
        "head": head(shape, step),
    }


def multiply_adds(shape: Shape, step: Step) -> int:
    """Multiply-adds of a step."""
    return sum(parts(shape, step).values())


def share_of_rate(shape: Shape, step: Step, tokens_per_second: float, rate: float) -> float:
    """Share of the machine's matrix rate that the needed multiply-adds use.

    Args:
        shape: The backbone.
        step: The step.
        tokens_per_second: How fast it was done.
        rate: Of the machine, in operations a second; a multiply-add is two.
    """
    return 2 * multiply_adds(shape, step) / step.tokens * tokens_per_second / rate


def matrices(shape: Shape, step: Step) -> list[tuple[int, int, int]]:
    """The sizes ``(rows, inputs, outputs)`` of matrix products that the step really has."""
    return [
        (step.tokens, shape.width, shape.width),
        (step.tokens, shape.width, shape.inner),
        (step.tokens, shape.inner, shape.width),
        (step.tokens, shape.width, step.bottleneck),
        (step.masked, shape.width, shape.vocabulary),
    ]


def weights(shape: Shape, step: Step) -> list[tuple[int, int, int]]:
    """The same for every frozen matrix of the model, in the order in which a step meets them."""
    layer = [(step.tokens, shape.width, shape.width)] * 4
    layer += [(step.tokens, shape.width, shape.inner)] * (2 if shape.gated else 1)
    layer += [(step.tokens, shape.inner, shape.width)]
    return layer * shape.layers + [(step.masked, shape.width, shape.vocabulary)]
