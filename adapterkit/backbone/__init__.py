"""The frozen multilingual backbone: where it comes from, who it is, where adapters attach.

This room is the one door to transformers (`load`); its table of architectures needs neither it nor torch.
"""
