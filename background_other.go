//go:build !unix

package main

// stayInBackground has nothing to do: there is no background.
func stayInBackground() {}
