# SPDX-License-Identifier: MIT
# An interactive zsh in a terminal of its own, with its completion system and the functions of a folder,
# is given words and a TAB: prints the line that it then shows.
# terminal.zsh FOLDER "WORDS"
zmodload zsh/zpty
zpty terminal zsh -f -i
# The prompt is written in two parts: the echo of this line is not the prompt.
zpty -w terminal "fpath=(${(q)1} \$fpath); autoload -U compinit; compinit -u -D; PROMPT=REA''DY'>'"
zpty -r terminal line '*READY>*'
zpty -w -n terminal "$2"$'\t'
# Until more than the words is there: without a completion this waits, and the caller has a limit.
zpty -r terminal line "*${(b)2}[a-z]* "
print -r -- "$line"
