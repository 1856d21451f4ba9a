// Command compose prints a compose file as Docker Compose understands it, as JSON: with the environment
// filled in, and with the services of the chosen profiles only. It ends with an error where a file
// does not keep to the Compose Specification.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	options, err := cli.NewProjectOptions(os.Args[1:],
		cli.WithOsEnv,
		cli.WithDefaultProfiles(),
		cli.WithName("jointbuy"),
	)
	if err != nil {
		fail(err)
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		fail(err)
	}
	read, err := project.MarshalJSON()
	if err != nil {
		fail(err)
	}
	fmt.Println(string(read))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
