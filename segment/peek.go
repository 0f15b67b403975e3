package segment

import (
	"fmt"
	"os"
	"path/filepath"
)

// PeekState returns the root of the download in progress under name, without
// locking it or reading any of its data. The error is ErrNoState when there is none, or its
// state file is torn.
func PeekState(dir, name string) (Root, error) {
	f, err := os.Open(filepath.Join(dir, name+stateSuffix))
	if err != nil {
		return Root{}, fmt.Errorf("%w: %w", ErrNoState, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Root{}, diskError("stat", f.Name(), err)
	}
	m, _, err := decodeState(f, info.Size())
	if err != nil {
		return Root{}, fmt.Errorf("%w: %s: %w", ErrNoState, f.Name(), err)
	}
	return m.Root(), nil
}
