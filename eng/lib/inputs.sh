# shellcheck shell=bash
# Building only what has changed. Expects $root, the tree's top directory.

# inputs TEXT... -- PATH...: one hash over the texts and over names and contents of the files.
inputs() {
	local texts=()
	while [[ $1 != -- ]]; do
		texts+=("$1")
		shift
	done
	shift
	{
		printf '%s\n' "${texts[@]}"
		(cd "${root:?}" && find "$@" \( -name bin -o -name obj \) -prune -o -type f -print0 | sort -z |
			xargs -0 --no-run-if-empty sha256sum)
	} | sha256sum | cut -d ' ' -f 1
}

current() { # current STAMP HASH
	[[ -e $1 && $(< "$1") == "$2" ]]
}
