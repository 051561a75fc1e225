"""``python -m capsim``."""

from capsim.cli.main import main

if __name__ == "__main__":
    main()
