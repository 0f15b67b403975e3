package report

import (
	"os"

	"golang.org/x/sys/windows"
)

// enableEscapes asks the console to interpret escape sequences; one older than
// Windows 10 cannot.
func enableEscapes(f *os.File) bool {
	console := windows.Handle(f.Fd())
	var mode uint32
	if err := windows.GetConsoleMode(console, &mode); err != nil {
		return false
	}
	return windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
