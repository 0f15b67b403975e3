package wire

import (
	"errors"
	"fmt"
	"io"
)

// Version is the version of the protocol that this package speaks.
const Version = 1

// prefaceLen is the length of a preface, in bytes.
const prefaceLen = 8

// StrangerLine is what a server tells something that is no braid client.
const StrangerLine = "braid: this port speaks the braid protocol, version 1; use a braid client\r\n"

// ErrStranger means that what came is no preface: the other side speaks
// something else.
var ErrStranger = errors.New("speaks something else than the braid protocol")

// VersionError means that the other side speaks another version.
type VersionError struct{ Version byte }

// Error implements error.
func (e *VersionError) Error() string {
	return fmt.Sprintf("speaks version %d of the braid protocol, this program version %d", e.Version, Version)
}

// Preface is the eight bytes that each side begins with (section 2).
func Preface() [prefaceLen]byte {
	return [prefaceLen]byte{'b', 'r', 'a', 'i', 'd', '\r', '\n', Version}
}

// readPreface is Reader.Preface.
func readPreface(r io.Reader) error {
	want := Preface()
	var got [prefaceLen]byte
	for i := range got {
		// Byte by byte: a stranger that sends fewer bytes than a preface and
		// then waits is told at once. The reader is buffered.
		if _, err := io.ReadFull(r, got[i:i+1]); err != nil {
			return err
		}
		if i < prefaceLen-1 && got[i] != want[i] {
			return ErrStranger
		}
	}
	if version := got[prefaceLen-1]; version != Version {
		return &VersionError{Version: version}
	}
	return nil
}
