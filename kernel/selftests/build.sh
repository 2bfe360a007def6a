#!/bin/sh
# build.sh OUTPUT: compiles the self tests into one static program.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 OUTPUT" >&2; exit 2; }
exec gcc -O1 -Wall -Wextra -Werror -D_GNU_SOURCE -static -o "$1" "$(dirname "$0")"/*.c
