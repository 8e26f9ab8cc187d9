"""What runs in the contenders' own processes. `theirs` runs beside the adapters library, without adapterkit."""
