# Completion of apivideo-token for bash.
_apivideo_token() {
	local word=${COMP_WORDS[COMP_CWORD]} line
	local -a words=("${COMP_WORDS[@]:0:COMP_CWORD}")
	words[0]=${words[0]/#\~/$HOME}
	[[ $word == -* ]] && words+=("$word")
	COMPREPLY=()
	while IFS= read -r line; do
		line=${line%%:*}
		[[ $line == "$word"* ]] && COMPREPLY+=("$line")
	done < <("${words[@]}" --generate-shell-completion 2>/dev/null)
}
complete -o bashdefault -o default -F _apivideo_token apivideo-token
