# Sourced: what a run of dotnet test has counted.

# trx_count FILE ATTRIBUTE: from the totals of a trx file; 0 when there is none.
trx_count() {
	local number
	number=$(grep -o '<Counters [^>]*>' "$1" 2> /dev/null | grep -oE " $2=\"[0-9]+\"" | grep -oE '[0-9]+') || true
	echo "${number:-0}"
}
