"""What the page's tables show: key of a result, what it is in words, and what was aimed at."""

Figure = tuple[str, str, str]
TRAINING: tuple[Figure, ...] = (
    ("ratio_bf16", "tokens/s, bfloat16 over `adapters`", "at least 5"),
    ("ratio_fp32", "tokens/s, float32 over `adapters`", "at least 1.7"),
    ("memory_ratio", "peak memory, bfloat16 over `adapters`", "at most 0.5"),
    ("memory_ratio_fp32", "peak memory, float32 over `adapters`", ""),
    ("matrix_rate_share", "share of the machine's matrix rate, bfloat16", "at least 0.4"),
    (
        "matrix_rate_share_streamed",
        "share of the rate at which the model's own matrices are multiplied in turn, bfloat16",
        "",
    ),
    ("matrix_rate_share_fp32", "share of the machine's matrix rate, float32", ""),
    (
        "matrix_rate_share_streamed_fp32",
        "share of the rate at which the model's own matrices are multiplied in turn, float32",
        "",
    ),
    ("ratio_mini", "`mini`: tokens/s over the plain loop", "at least 2.5"),
    ("memory_ratio_mini", "`mini`: peak memory over the plain loop", ""),
    ("mini_rate_share", "`mini`: share of the machine's matrix rate", ""),
    ("mini_plain_rate_share", "`mini`: the same of the plain loop", ""),
)
TASK_TRAINING: tuple[Figure, ...] = (
    ("by_length_every", "every layer: tokens/s, by length over random batches", ""),
    ("once_every", "every layer: computed once over computed each time", ""),
    ("both_every", "every layer: both", ""),
    ("by_length_upper", "upper half: by length over random batches", ""),
    ("once_upper", "upper half: computed once over computed each time", ""),
    ("both_upper", "upper half: both", ""),
    ("memory_once_every", "every layer: peak memory, computed once over each time", ""),
    ("memory_once_upper", "upper half: peak memory, computed once over each time", ""),
)
HELDOUT: tuple[Figure, ...] = (
    ("loss_before", "without an adapter", ""),
    ("loss_fp32", "adapterkit, float32", "no worse than `adapters`"),
    ("loss_bf16", "adapterkit, bfloat16", "no worse than `adapters`"),
    ("loss_adapters", "`adapters`, float32, head trained too, our learning rate", ""),
    ("loss_adapters_head_frozen", "`adapters`, float32, head frozen, our learning rate", ""),
    (
        "loss_adapters_documented_rate",
        "`adapters`, float32, head trained too, its documented rate",
        "",
    ),
    ("bf16_over_fp32", "bfloat16 above float32, as a fraction", "within 0.005"),
)
INFERENCE: tuple[Figure, ...] = (
    ("overhead_fp32", "time, stack over bare backbone, float32", "at most 1.13"),
    ("overhead_bf16", "time, stack over bare backbone, bfloat16", "at most 1.13"),
    ("overhead_over_transformers", "time, stack over transformers' backbone, float32", ""),
    ("bare_over_transformers", "tokens/s, bare backbone over transformers", "1"),
    ("lora_over_peft", "tokens/s, LoRA over peft", "at least 1"),
)
ROWS: tuple[Figure, ...] = (
    ("rows_over_one_fp32", "tokens/s over one language, float32", "at least 0.9"),
    ("rows_over_one_bf16", "tokens/s over one language, bfloat16", "at least 0.9"),
    ("rows_over_adapters", "tokens/s over a loop with `adapters`, both float32", "at least 3"),
    (
        "rows_over_adapters_bf16",
        "the same, ours in bfloat16, which it does not choose by itself",
        "at least 3",
    ),
)
ATTACH: tuple[Figure, ...] = (
    ("attach_ms", "in all, milliseconds", "at most 20"),
    ("first_ms", "the same of a folder that this process never loaded (its files are hashed)", ""),
    ("read_ms", "opening the file and mapping its tensors", ""),
    ("build_ms", "checking it, reading its values and building the adapter", ""),
    ("hook_ms", "hooking it onto the backbone", ""),
)
LINEAR: tuple[Figure, ...] = (
    ("exponent", "exponent of seconds over tokens, more rows of one length", "1"),
    ("flatness", "slowest over fastest, by the number of adapters loaded", "1"),
)
