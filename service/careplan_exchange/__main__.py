"""`python -m careplan_exchange` and the `careplan` command."""


def main() -> None:
    from careplan_exchange.cli import run

    run()


if __name__ == "__main__":
    main()
