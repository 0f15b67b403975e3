// Package wire is braid's protocol: prefaces and messages over any byte
// stream. It knows no sockets and no files. docs/protocol.md is normative;
// the section numbers in this package are that page's.
package wire
