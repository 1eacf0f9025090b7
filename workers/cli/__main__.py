"""`python -m workers.cli`: the same command without an installed script."""

from workers.cli.app import main

if __name__ == "__main__":
    main()
