package main

// usage is the text of `braid help`, and what stderr shows when nothing names
// a mode.
const usage = `Usage: braid MODE [flags]

One file, many servers, woven back together.

Modes:
  server    serve a file from n virtual servers (braid server --help)
  client    download a file from many servers at once (braid client --help)
  demo      make a video, serve it from four servers, download it; no flags
  keygen    print a fresh key for BRAID_KEY
  man       print the manual page, or that of a mode
  completion
            print the completion script of a shell
  version   print name, version, Go version and system
  help      show this text, or with a mode that mode's flags

The mode is the first word; or --mode=server, --mode=client; or the name of the
program, when it begins with server or client (a copy or a symlink will do:
server.exe, client-linux-amd64); or BRAID_MODE; in this order of precedence.

Examples:
  braid demo
  braid server -i 2 -n 4 -f video.mp4 -p 9001-9004
  braid client -i 2 -o downloads -a 192.168.1.20 -p 9001-9004
`

const demoUsage = `Usage: braid demo

Make an 8 MB video, serve it from four virtual servers on this machine, download
it from all of them while one is shut down, verify it and say where it is. Takes
about ten seconds and no flags.
`

const keygenUsage = `Usage: braid keygen

Print a fresh key, a line of 26 characters that nobody can guess. Servers and
clients that are given the same one as BRAID_KEY prove it to each other, over
tls or quic, before anything of the file is told:

  export BRAID_KEY=$(braid keygen)
`

const completionUsage = `Usage: braid completion bash|zsh|fish|powershell

Print a script that makes the shell complete modes, flags and values. The folder
may have to be made first:

  bash        braid completion bash > ~/.local/share/bash-completion/completions/braid
  zsh         braid completion zsh > ~/.zfunc/_braid    (with ~/.zfunc in fpath)
  fish        braid completion fish > ~/.config/fish/completions/braid.fish
  PowerShell  braid completion powershell >> $PROFILE
`

const manUsage = `Usage: braid man [server|client]

Print the manual page, for man(1), which looks beside the folders of the PATH,
such as ~/.local/bin:

  braid man > ~/.local/share/man/man1/braid.1
`

const versionUsage = `Usage: braid version

Print one line: name, version, Go version and os/arch.
`
