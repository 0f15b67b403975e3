package wire

import (
	"errors"
	"fmt"
	"io"
)

// Version is the version of the protocol that this package speaks.
const Version = 1

// PrefaceLen is the length of a preface, bytes.
const PrefaceLen = 8

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
func Preface() [PrefaceLen]byte {
	return [PrefaceLen]byte{'b', 'r', 'a', 'i', 'd', '\r', '\n', Version}
}

// ReadPreface reads the other side's preface. Its errors are ErrStranger (as
// soon as a byte is wrong), *VersionError, or what reading gives.
func ReadPreface(r io.Reader) error {
	want := Preface()
	var got [PrefaceLen]byte
	for i := range got {
		// Byte by byte: a stranger that sends fewer bytes than a preface and
		// then waits is told at once. The reader is buffered.
		if _, err := io.ReadFull(r, got[i:i+1]); err != nil {
			return err
		}
		if i != 7 && got[i] != want[i] {
			return ErrStranger
		}
	}
	if got[7] != Version {
		return &VersionError{Version: got[7]}
	}
	return nil
}
