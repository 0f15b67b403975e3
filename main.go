// Braid downloads one file from many servers at once. The same binary is
// server or client: see mode.go for how it is told which, exit.go for the exit
// codes.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"braid/client"
	"braid/flags"
	"braid/report"
	"braid/server"
	"braid/transport"
)

func main() {
	os.Exit(run(os.Args))
}

// run does what argv asks for and returns the exit code. argv[0] is the name
// under which the program was started.
func run(argv []string) int {
	chosen, args, err := chooseMode(argv, os.Getenv(modeEnv))
	if chosen == modeClient && inCrowd() {
		sleepLonger() // before signals are caught, as it may start the program again
	}
	ctx, stop := untilSignal()
	defer stop()
	stderr := report.NewPrinter(os.Stderr)
	defer stderr.Close(ctx) // a last line waits for its reader until a signal comes
	if err == nil {
		err = dispatch(ctx, stderr, chosen, args)
	}
	return exit(os.Stdout, stderr, err)
}

// untilSignal returns a context that ends with the first SIGINT or SIGTERM,
// which asks for an orderly end. The second one kills at once.
func untilSignal() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Whoever reads stdout may go: the download and the servers go on.
	signal.Ignore(syscall.SIGPIPE)
	stayInBackground()
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// dispatch runs a mode with its arguments. stderr takes what is no mode's own.
func dispatch(ctx context.Context, stderr io.Writer, chosen mode, args []string) error {
	registry := transport.Builtin()
	switch chosen {
	case modeServer:
		return runServer(ctx, registry, stderr, args)
	case modeClient:
		return runClient(ctx, registry, stderr, args)
	case modeDemo:
		if err := noArguments(modeDemo, demoUsage, args); err != nil {
			return err
		}
		return runDemo(ctx, os.Stdout, os.Stderr)
	case modeKeygen:
		if err := noArguments(modeKeygen, keygenUsage, args); err != nil {
			return err
		}
		return printKey(os.Stdout)
	case modeVersion:
		if err := noArguments(modeVersion, versionUsage, args); err != nil {
			return err
		}
		_, err := fmt.Fprintln(os.Stdout, versionLine())
		return err
	case modeCompletion:
		return completion(os.Stdout, registry.Names(), args)
	case modeMan:
		return manual(os.Stdout, registry.Names(), args)
	default:
		return help(registry, args)
	}
}

func runServer(ctx context.Context, registry *transport.Registry, stderr io.Writer, args []string) error {
	cfg, err := server.ParseFlags(args, registry.Names())
	if err != nil {
		return err
	}
	tell := func(text string) { warn(stderr, text) }
	carrier, err := newTransport(registry, stderr, cfg.Transport, cfg.Key, cfg.KeyOnCommandLine, tell)
	if err != nil {
		return err
	}
	defer closeTransport(carrier)
	overlap(cfg.Transport)
	defer holdOwn(ctx).forget()
	err = server.Run(ctx, cfg, server.Env{
		Stdin:     os.Stdin,
		Stdout:    os.Stdout,
		Stderr:    os.Stderr,
		Transport: carrier,
	})
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // a signal is the ordinary end of a server
	}
	return err
}

func runClient(ctx context.Context, registry *transport.Registry, stderr io.Writer, args []string) error {
	cfg, err := client.ParseFlags(args, registry.Names())
	if err != nil {
		return err
	}
	// The client has the terminal: what the transport has to say goes through it.
	warnings := make(chan string, 8)
	carrier, err := newTransport(registry, stderr, cfg.Transport, cfg.Key, cfg.KeyOnCommandLine, func(text string) {
		select {
		case warnings <- text:
		default: // the same again and again, or the client has ended
		}
	})
	if err != nil {
		return err
	}
	defer closeTransport(carrier)
	overlap(cfg.Transport)
	giveWay()
	others := stepAside(ctx)
	defer others.forget()
	return client.Run(ctx, cfg, client.Env{
		Stdout:    os.Stdout,
		Stderr:    os.Stderr,
		Transport: carrier,
		Warnings:  warnings,
		Terminal:  report.TerminalOf(os.Stderr),
		Crowded:   others.around.Load,
	})
}

// newTransport makes the transport that the flags name, and tells what it warns of.
func newTransport(registry *transport.Registry, stderr io.Writer, name, key string, keyShown bool, tell func(string)) (transport.Transport, error) {
	if keyShown {
		warn(stderr, "every process list shows a key on the command line, better give it as BRAID_KEY")
	}
	return registry.New(name, transport.Options{Key: key, Warn: tell})
}

// closeTransport lets connections that a transport still holds end well: those
// of quic, which live in this process and not in the system.
func closeTransport(t transport.Transport) {
	if c, ok := t.(io.Closer); ok {
		_ = c.Close() // there is nothing left that could be lost
	}
}

// warn tells the user something in a line.
func warn(stderr io.Writer, text string) { fmt.Fprintf(stderr, "braid: %s\n", oneLine(text)) }

// help prints the usage text of the program, or of the mode that args name.
func help(registry *transport.Registry, args []string) error {
	word, err := oneWord(modeHelp, usage, args, modeNames())
	if err != nil {
		return err
	}
	askHelp := []string{"--help"}
	text := usage
	switch mode(word) {
	case modeServer:
		_, err = server.ParseFlags(askHelp, registry.Names())
	case modeClient:
		_, err = client.ParseFlags(askHelp, registry.Names())
	case modeDemo:
		text = demoUsage
	case modeKeygen:
		text = keygenUsage
	case modeVersion:
		text = versionUsage
	case modeCompletion:
		text = completionUsage
	case modeMan:
		text = manUsage
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(os.Stdout, text)
	return err
}

// noArguments is for modes without flags.
func noArguments(m mode, text string, args []string) error {
	if asksHelp(args) {
		return &flags.ErrHelp{Text: text}
	}
	if len(args) > 0 {
		return &flags.Error{Value: args[0], Reason: fmt.Sprintf("braid %s takes no flags and no words", m)}
	}
	return nil
}
