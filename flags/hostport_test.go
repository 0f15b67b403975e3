package flags

import "testing"

func TestHostPort(t *testing.T) {
	for value, want := range map[string]string{
		"127.0.0.1:9100": "127.0.0.1:9100", ":9100": ":9100", "[::1]:09100": "[::1]:9100", "alpha:1": "alpha:1", "[fe80::1%eth0]:65535": "[fe80::1%eth0]:65535",
	} {
		var got string
		if err := HostPort(&got)([]string{value}); err != nil || got != want {
			t.Errorf("%s: got %q, %v", value, got, err)
		}
	}
	const form = "want host:port, such as 127.0.0.1:9100 or [::1]:9100, or :9100 for every address"
	for value, want := range map[string]string{
		"": form, "9100": form, "::1:9100": form, "alpha": form, ":0": `"0" is no port, want one from 1 to 65535`,
		"alpha:65536": `"65536" is no port, want one from 1 to 65535`, "alpha:http": `"http" is no port, want one from 1 to 65535`,
		"al pha:1": `"al pha" is no address, want an IPv4 or IPv6 address or a host name`,
	} {
		got := "kept"
		if err := HostPort(&got)([]string{value}); err == nil || err.Error() != want || got != "kept" {
			t.Errorf("%q: got %q, %v, want %s", value, got, err, want)
		}
	}
}
