package clockbound

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The program of another module.
const consumer = `package main

import (
	"fmt"
	"os"

	"clockbound"
)

func main() {
	client, err := clockbound.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	defer client.Close()
	now, err := client.Now()
	fmt.Println(now.Status == clockbound.StatusSynchronized, now.Reason, err)
}
`

func TestAnotherModuleUsesTheLibraryAsTheReadmeDescribes(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command")
	}
	library, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	module := t.TempDir()
	if err := os.WriteFile(filepath.Join(module, "main.go"), []byte(consumer), 0o644); err != nil {
		t.Fatal(err)
	}
	var output string
	for _, command := range [][]string{
		{"go", "mod", "init", "example.com/consumer"},
		{"go", "mod", "edit", "-require", "clockbound@v0.0.0", "-replace", "clockbound=" + library},
		{"go", "mod", "tidy"},
		{"go", "vet", "."},
		{"go", "build", "-o", "consumer", "."},
		{filepath.Join(module, "consumer")},
	} {
		if len(command) == 1 {
			// The record would become old during the build.
			command = append(command, directory(t, StatusSynchronized))
		}
		program := exec.Command(command[0], command[1:]...)
		program.Dir = module
		program.Env = append(os.Environ(), "GOFLAGS=", "GOPROXY=off", "GOWORK=off")
		text, err := program.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", command, err, text)
		}
		output = string(text)
	}
	if strings.TrimSpace(output) != "true tracking <nil>" {
		t.Error(output)
	}
}
