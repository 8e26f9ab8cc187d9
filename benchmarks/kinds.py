"""Kinds of operations that a training step's time is told by, and the operations of each."""

KINDS = {
    "products with the model's matrices": ("aten::mm", "aten::addmm"),
    "attention": (
        "aten::bmm",
        "aten::_softmax",
        "aten::_softmax_backward_data",
        "aten::_scaled_dot_product_flash_attention_for_cpu",
        "aten::_scaled_dot_product_flash_attention_for_cpu_backward",
    ),
    "activations": (
        "aten::gelu",
        "aten::gelu_backward",
        "aten::clamp_min",
        "aten::threshold_backward",
    ),
    "norms": ("aten::native_layer_norm", "aten::native_layer_norm_backward"),
    "sums and copies": (
        "aten::add",
        "aten::add_",
        "aten::copy_",
        "aten::mul",
        "aten::cat",
        "aten::fill_",
    ),
    "softmax over the vocabulary": ("aten::exp_", "aten::amax", "aten::sub_", "aten::sum"),
    "optimizer": ("aten::_fused_adamw_",),
}
REST = "everything else"
