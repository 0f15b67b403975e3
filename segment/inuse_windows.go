package segment

import (
	"errors"

	"golang.org/x/sys/windows"
)

// inUse reports whether err may pass as soon as another program closes the file.
func inUse(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) ||
		errors.Is(err, windows.ERROR_LOCK_VIOLATION) ||
		errors.Is(err, windows.ERROR_ACCESS_DENIED)
}
