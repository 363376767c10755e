"""The networks: nn.Modules with tensors in and tensors out. They never read files, never know how they are trained."""
