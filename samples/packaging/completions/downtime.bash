# Made by the program itself, so that it fits the version that is installed.
source <(downtime completions bash)
