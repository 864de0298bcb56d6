#!/bin/sh
# Draws lesson.svg (docs/what-regularisation-does.md) and report.png, the picture in the README: the top of the report
# on the bundled breast cancer study.
# Needs bridle, matplotlib and Pillow in the Python that PYTHON names, and Chromium (or CHROMIUM=/path/to/one).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-python3}
"$python" "$here/lesson.py"
"$python" -m bridle fit --demo --out "$work/study" --quiet
"${CHROMIUM:-chromium}" --headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run \
  --disable-background-networking --disable-component-update --disable-sync \
  --user-data-dir="$work/profile" --window-size=1280,1500 --screenshot="$work/page.png" \
  "file://$work/study/report.html" 2>/dev/null
"$python" - "$work/page.png" "$here/report.png" <<'PY'
import sys
from PIL import Image

page = Image.open(sys.argv[1]).convert("RGB")
top = page.crop((40, 55, 1240, 1462))  # contents, verdict, what regularisation bought
top.quantize(128, dither=Image.Dither.NONE).save(sys.argv[2], optimize=True)
PY
echo "wrote $here/report.png ($(wc -c < "$here/report.png") bytes)"
