# Made by the program itself, so that it fits the version that is installed.
downtime completions fish | source
