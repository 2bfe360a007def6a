# shellcheck shell=bash
# Sourced: machines of tests, which outlive their test when it is ended in the middle.

# end_machines DIRECTORY MARK: those whose state lies under DIRECTORY and that were started since the file MARK was written.
end_machines() {
	local file pid
	while read -r file; do
		pid=$(< "$file")
		[[ $(tr '\0' ' ' 2> /dev/null < "/proc/$pid/cmdline") != *"$file"* ]] || kill "$pid"
	done < <(find "$1" -path '*/machines/*/pid' -newer "$2" 2> /dev/null)
}
