import { useState } from "preact/hooks";
import { del } from "../api/client";
import { detailsOf, rateOf, totalOf, type Binding, type Exchange } from "../api/types";
import { usePoll } from "../state/poll";
import { ofOne, useRange } from "../state/range";
import { go, link, path, queryText } from "../state/route";
import { Arguments, Failure, Head, Name, Note, Section, Waiting } from "../ui/basics";
import { ChartSection, IN, OUT } from "../ui/chart-section";
import { ask } from "../ui/dialog";
import { count, counted, noun, rate } from "../ui/format";
import { Ranges } from "../ui/ranges";
import { aligned, rates } from "../ui/samples";
import { Tiles } from "../ui/tiles";
import { BindingTable } from "./bindings";
import { ExchangeFeatures } from "./exchanges";
import { PublishDialog } from "./publish";
import { NewBinding } from "./queue-bindings";
import type { PageProps } from "./routes";

export function ExchangePage({ args }: PageProps) {
  const [vhost = "", given = ""] = args;
  const name = given === "amq.default" ? "" : given;
  const base = `/api/exchanges${path(vhost, name || "amq.default")}`;
  const range = useRange();
  const polled = usePoll<Exchange>(`${base}${queryText(ofOne(range, "msg_rates"))}`, base);
  const from = usePoll<Binding[]>(name ? `${base}/bindings/source` : null);
  const to = usePoll<Binding[]>(name ? `${base}/bindings/destination` : null);
  const [isPublishing, setPublishing] = useState(false);
  const exchange = polled.data;
  const stats = exchange?.message_stats;
  const isLosing = exchange && rateOf(stats, "publish_in") > 0 && rateOf(stats, "publish_out") === 0;
  const title = <Name of={name} empty="(AMQP default)" />;
  if (polled.error?.isAbsent) {
    return (
      <>
        <Head title={title} crumbs={[{ text: "Exchanges", href: link(["exchanges"]) }]} />
        <Note tone="warn">There is no such exchange in virtual host '{vhost}'.</Note>
      </>
    );
  }
  const remove = () =>
    ask({
      title: `Delete exchange '${name}'?`,
      text: `With it go ${counted((from.data?.length ?? 0) + (to.data?.length ?? 0), "binding")}. Programs that publish to it will have their channels closed.`,
      act: "Delete",
      typed: (from.data?.length ?? 0) > 0 ? name : undefined,
      run: async () => {
        await del(base);
        go(["exchanges"]);
      },
      done: `Exchange '${name}' is deleted.`,
    });
  return (
    <>
      <Head title={title} crumbs={[{ text: "Exchanges", href: link(["exchanges"]) }, { text: <>virtual host <Name of={vhost} /></> }]} about={exchange && <>{exchange.type} <ExchangeFeatures of={exchange} /></>}>
        <a class="button" href={link(["where"], { vhost, exchange: name || "amq.default" })}>
          Where would it go?
        </a>
        {exchange && !exchange.internal && (
          <button type="button" onClick={() => setPublishing(true)}>
            Publish
          </button>
        )}
        {name !== "" && !name.startsWith("amq.") && (
          <button type="button" class="danger-quiet" onClick={remove}>
            Delete
          </button>
        )}
      </Head>
      <Waiting polled={polled} what="the exchange" />
      {isLosing && (
        <Note tone="warn">
          {rate(rateOf(stats, "publish_in"))} messages a second come in, and none reaches a queue. Compare the routing keys of the bindings below with the one that the program uses:{" "}
          <a href={link(["where"], { vhost, exchange: name || "amq.default" })}>ask where such a message would go</a>, or <a href={link(["live"], { vhost, exchange: name || "amq.default" })}>see what comes in</a>.
        </Note>
      )}
      {exchange && (
        <Tiles
          label="Numbers"
          tiles={[
            { title: "In", value: rate(rateOf(stats, "publish_in")), unit: "messages/s" },
            { title: "Out", value: rate(rateOf(stats, "publish_out")), unit: "messages/s to queues" },
            { title: "In since the start", value: count(totalOf(stats, "publish_in")), unit: noun(totalOf(stats, "publish_in"), "message") },
            { title: "Out since the start", value: count(totalOf(stats, "publish_out")), unit: noun(totalOf(stats, "publish_out"), "message to a queue", "messages to queues") },
          ]}
        />
      )}
      {exchange && (
        <div class="columns charts">
          <ChartSection title="Messages a second" aside={<Ranges />} all={aligned(["publish_in", "publish_out"].map((name) => rates(detailsOf(stats, name))))} format={rate} lines={[IN, OUT]} />
          <Section title="Arguments">
            <Arguments of={exchange.arguments} none="No arguments." />
          </Section>
        </div>
      )}
      {name === "" ? (
        <Section title="Bindings">
          <p>Every queue is bound to this exchange, with its own name as the routing key. Nothing else can be bound to it.</p>
        </Section>
      ) : (
        <>
          <Section title="From here to">
            <Failure error={from.error} what="Cannot show the bindings" />
            {from.data && <BindingTable bindings={from.data} show="destination" refresh={from.refresh} />}
            <div class="stack">
              <NewBinding vhost={vhost} source={name} kind="q" after={from.refresh} />
              <NewBinding vhost={vhost} source={name} kind="e" after={from.refresh} />
            </div>
          </Section>
          {to.data && to.data.length > 0 && (
            <Section title="To here from">
              <BindingTable bindings={to.data} show="source" refresh={to.refresh} />
            </Section>
          )}
        </>
      )}
      {isPublishing && <PublishDialog vhost={vhost} exchange={name || "amq.default"} routingKey="" onClose={() => setPublishing(false)} after={polled.refresh} />}
    </>
  );
}
