"""The networks: nn.Modules with tensors in and tensors out. They never read files and never know how they are trained."""
