"""What has weights, and how it meets a frozen layer. This room knows torch only."""
