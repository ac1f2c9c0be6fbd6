// The stories of Prometheus: its own parser reads the metrics, as a scrape does.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

const wait = 60 * time.Second

// What Prometheus 3 sends with a scrape.
const accept = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6," +
	"application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4," +
	"text/plain;version=0.0.4;q=0.3,*/*;q=0.2"

// The families of /metrics/detailed that are about things of one node.
var detailed = []string{
	"queue_coarse_metrics", "queue_consumer_count", "queue_metrics", "queue_delivery_metrics", "queue_exchange_metrics",
	"exchange_metrics", "exchange_bindings", "exchange_names", "channel_metrics", "channel_exchange_metrics",
	"channel_queue_metrics", "connection_metrics", "connection_coarse_metrics", "connection_churn_metrics", "auth_attempt_metrics",
	"vhost_status", "node_metrics", "node_coarse_metrics", "node_persister_metrics", "alarm_metrics",
}

var stories = []struct {
	name string
	tell func(*session) error
}{
	{"metrics", func(s *session) error { return s.scrapes("/metrics", 60) }},
	{"per-object", func(s *session) error { return s.scrapes("/metrics/per-object", 60) }},
	{"detailed", func(s *session) error {
		return s.scrapes("/metrics/detailed?family="+strings.Join(detailed, "&family="), 40)
	}},
	{"detailed-without-a-family", func(s *session) error { return s.scrapes("/metrics/detailed", 2) }},
	{"hostile-names", hostileNames},
	{"counts", counts},
}

type session struct {
	metrics, api string
	vhost        string
	user         *url.Userinfo
}

type families = map[string]*dto.MetricFamily

func newSession() (*session, error) {
	api, err := url.Parse(os.Getenv("HTTP_URL"))
	if err != nil {
		return nil, err
	}
	s := &session{metrics: os.Getenv("METRICS_URL"), api: "http://" + api.Host, user: api.User}
	s.vhost = fmt.Sprintf("conformance-prometheus-%x", rand.Uint64())
	return s, s.call("PUT", "/api/vhosts/"+s.vhost, nil)
}

func (s *session) close() error { return s.call("DELETE", "/api/vhosts/"+s.vhost, nil) }

// Calls the management API; anything but success is an error.
func (s *session) call(method, path string, body any) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(method, s.api+path, bytes.NewReader(encoded))
	if err != nil {
		return err
	}
	password, _ := s.user.Password()
	request.SetBasicAuth(s.user.Username(), password)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	told, _ := io.ReadAll(answer.Body)
	if answer.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s %s", method, path, answer.Status, told)
	}
	return nil
}

// Scrapes as Prometheus does, and decodes what the answer says that it is.
func (s *session) scrape(path string) (families, error) {
	request, err := http.NewRequest("GET", s.metrics+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", accept)
	answer, err := http.DefaultClient.Do(request) // asks for gzip
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
	if format := expfmt.ResponseFormat(answer.Header); format.FormatType() != expfmt.TypeTextPlain {
		return nil, fmt.Errorf("%s: the type is %q", path, answer.Header.Get("Content-Type"))
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	return parser.TextToMetricFamilies(answer.Body)
}

// What is scraped must be sound, and be at least so many families.
func (s *session) scrapes(path string, atLeast int) error {
	if err := s.call("PUT", "/api/queues/"+s.vhost+"/q", struct{}{}); err != nil {
		return err
	}
	found, err := s.scrape(path)
	if err != nil {
		return err
	}
	if len(found) < atLeast {
		return fmt.Errorf("%s: only %d families", path, len(found))
	}
	for _, family := range found {
		if err := sound(family); err != nil {
			return fmt.Errorf("%s: %s: %w", path, family.GetName(), err)
		}
	}
	return nil
}

// What the parser lets through and a scrape would not like.
func sound(family *dto.MetricFamily) error {
	if family.GetHelp() == "" {
		return errors.New("no help")
	}
	seen := map[string]bool{}
	for _, metric := range family.GetMetric() {
		labels := fmt.Sprint(metric.GetLabel())
		if seen[labels] {
			return fmt.Errorf("twice with %s", labels)
		}
		seen[labels] = true
		if metric.TimestampMs != nil {
			return errors.New("a timestamp: Prometheus has its own")
		}
		if number := value(metric); math.IsInf(number, 0) {
			return fmt.Errorf("the value %v", number)
		}
	}
	return nil
}

func value(metric *dto.Metric) float64 {
	switch {
	case metric.Gauge != nil:
		return metric.GetGauge().GetValue()
	case metric.Counter != nil:
		return metric.GetCounter().GetValue()
	case metric.Untyped != nil:
		return metric.GetUntyped().GetValue()
	default:
		return float64(metric.GetHistogram().GetSampleCount())
	}
}

// Names that would break lines, labels or escapes come back as they were given.
func hostileNames(s *session) error {
	names := []string{
		`"`, `\`, `\n`, "line\nfeed", "a\",queue=\"b", "}\nrabbitmq_up 1", "# HELP x", "ü→🐇", "nul\x01", `back\\slash"`, " ",
	}
	for _, name := range names {
		body := map[string]any{"durable": true}
		if err := s.call("PUT", "/api/queues/"+s.vhost+"/"+url.PathEscape(name), body); err != nil {
			return err
		}
	}
	for place, name := range names {
		names[place] = strings.NewReplacer("\r", "", "\n", "").Replace(name) // as the broker does with such names
	}
	slices.Sort(names)
	for _, path := range []string{"/metrics/per-object", "/metrics/detailed?family=queue_coarse_metrics&vhost=" + s.vhost} {
		err := eventually(func() error {
			found, err := s.scrape(path)
			if err != nil {
				return err
			}
			for _, family := range found {
				if err := sound(family); err != nil {
					return err
				}
			}
			if told := s.queues(found); !slices.Equal(told, names) {
				return fmt.Errorf("%s: queues %q instead of %q", path, told, names)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// The queues of the story's virtual host that have a count of ready messages.
func (s *session) queues(found families) []string {
	var names []string
	for _, name := range []string{"rabbitmq_queue_messages_ready", "rabbitmq_detailed_queue_messages_ready"} {
		for _, metric := range found[name].GetMetric() {
			if label(metric, "vhost") == s.vhost {
				names = append(names, label(metric, "queue"))
			}
		}
	}
	slices.Sort(names)
	return names
}

func label(metric *dto.Metric, name string) string {
	for _, pair := range metric.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}

// A queue's messages are counted, alone and in the sum over all.
func counts(s *session) error {
	if err := s.call("PUT", "/api/queues/"+s.vhost+"/q", struct{}{}); err != nil {
		return err
	}
	message := map[string]any{"routing_key": "q", "payload": "x", "payload_encoding": "string", "properties": struct{}{}}
	for range 3 {
		if err := s.call("POST", "/api/exchanges/"+s.vhost+"/amq.default/publish", message); err != nil {
			return err
		}
	}
	return eventually(func() error {
		found, err := s.scrape("/metrics/per-object")
		if err != nil {
			return err
		}
		sum, err := s.scrape("/metrics")
		if err != nil {
			return err
		}
		for _, metric := range found["rabbitmq_queue_messages_ready"].GetMetric() {
			if label(metric, "vhost") == s.vhost && value(metric) == 3 {
				all := sum["rabbitmq_queue_messages_ready"].GetMetric()
				if len(all) != 1 || value(all[0]) < 3 {
					return fmt.Errorf("the sum over all queues is %v", all)
				}
				return nil
			}
		}
		return errors.New("the three messages are not counted")
	})
}

func eventually(probe func() error) error {
	end := time.Now().Add(wait)
	for {
		err := probe()
		if err == nil || time.Now().After(end) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func tell(body func(*session) error) error {
	s, err := newSession()
	if err != nil {
		return err
	}
	return errors.Join(body(s), s.close())
}

func main() {
	http.DefaultClient.Timeout = wait
	passed, failed := 0, 0
	for _, story := range stories {
		if len(os.Args) > 1 && !slices.Contains(os.Args[1:], story.name) {
			continue
		}
		if err := tell(story.tell); err != nil {
			failed++
			fmt.Printf("FAIL %s: %s\n", story.name, strings.Join(strings.Fields(err.Error()), " "))
		} else {
			passed++
			fmt.Printf("ok %s\n", story.name)
		}
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
