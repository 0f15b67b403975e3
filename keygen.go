package main

import (
	"crypto/rand"
	"fmt"
	"io"
)

// printKey prints a fresh key for BRAID_KEY on a line of its own. It has at
// least 128 random bits, so that nobody can guess it, and no character that a
// shell or a config file would read as its own.
func printKey(stdout io.Writer) error {
	_, err := fmt.Fprintln(stdout, rand.Text())
	return err
}
