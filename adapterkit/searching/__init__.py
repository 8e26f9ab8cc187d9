"""Finding published adapters: by language, task, backbone, method and licence, online or from what was seen before."""
