"""``python -m neurolatent``: the command where its script is not on the path."""

from neurolatent.cli import main

if __name__ == "__main__":
    main()
