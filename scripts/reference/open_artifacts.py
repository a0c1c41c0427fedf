"""Opens every Arrow file of a store with pyarrow and Polars, whole: `.cache/reference-venv/bin/python
scripts/reference/open_artifacts.py artifacts`. Exits 1 where one does not open, or they see different rows.
"""

import pathlib
import sys

import polars
import pyarrow


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    files = sorted(pathlib.Path(sys.argv[1]).rglob("*.arrow"))
    if not files:
        sys.exit(f"no .arrow files below {sys.argv[1]}")
    failed = False
    for file in files:
        try:
            with pyarrow.memory_map(str(file)) as source:
                table = pyarrow.ipc.open_file(source).read_all()
                table.validate(full=True)
                metadata = table.schema.metadata
                kind = f"{metadata[b'distilburn.kind'].decode()} v{metadata[b'distilburn.version'].decode()}"
                rows = table.num_rows
            seen = polars.read_ipc(file).height
            if seen != rows:
                raise ValueError(f"pyarrow has {rows} rows, Polars {seen}")
            print(f"{kind:16} {rows:8} rows  {file.relative_to(sys.argv[1])}")
        except Exception as error:  # noqa: BLE001 - every failure of either library is a finding
            failed = True
            print(f"FAILED  {file}: {error}", file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
