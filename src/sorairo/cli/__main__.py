"""`python -m sorairo.cli`, for launchers such as torchrun that take a module."""

from sorairo.cli import main

if __name__ == "__main__":
    main()
