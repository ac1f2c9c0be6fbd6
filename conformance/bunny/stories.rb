# Bunny, and what Sneakers and Hutch do with it: their queues for retries, their exchange, their consumers.
# frozen_string_literal: true

require 'bunny'
require 'json'
require 'net/http'
require 'securerandom'
require 'socket'
require 'timeout'

STORY_SECONDS = 240
WAIT_SECONDS = 60

class Failed < StandardError; end

def unique(what) = "conformance-#{what}-#{SecureRandom.hex(6)}"

def same(what, actual, expected)
  raise Failed, "#{what}: #{actual.inspect} instead of #{expected.inspect}" unless actual == expected
end

# Polls until the block gives something true, which is returned.
def eventually(what, seconds = WAIT_SECONDS)
  finish = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
  until (found = yield)
    raise Failed, "not within #{seconds} s: #{what}" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > finish

    sleep 0.02
  end
  found
end

# Connections of one story, and names that are deleted at the end.
class Session
  attr_reader :connection

  def initialize
    @names = { queues: [], exchanges: [] }
    @others = []
    @connection = connect(ENV.fetch('AMQP_URL'))
  end

  def connect(url, **options)
    made = Bunny.new(url, { log_level: :fatal, recover_from_connection_close: true, network_recovery_interval: 0.2 }.merge(options))
    @others << made.start
    made
  end

  def channel = @connection.create_channel

  def name(kind, given = unique('bunny'))
    @names[kind] << given
    given
  end

  def close
    @others.each(&:close)
    last = Bunny.new(ENV.fetch('AMQP_URL'), log_level: :fatal).start
    channel = last.create_channel
    @names[:queues].each { |each| channel.queue_delete(each) }
    @names[:exchanges].each { |each| channel.exchange_delete(each) }
    last.close
  end
end

def proxy(command)
  host, port = ENV.fetch('PROXY_CONTROL').split(':')
  TCPSocket.open(host, port) do |control|
    control.puts(command)
    same('answer', control.gets, "ok\n")
  end
end

def api(method, path)
  url = URI("#{ENV.fetch('HTTP_URL')}/api/#{path}")
  request = Net::HTTP.const_get(method).new(url)
  request.basic_auth(*url.userinfo.split(':', 2))
  Net::HTTP.start(url.host, url.port) { |http| http.request(request) }
end

def next_of(queue)
  Timeout.timeout(WAIT_SECONDS, Failed, 'nothing came') { queue.pop }
end

STORIES = {}

STORIES['publish-consume'] = lambda do |s|
  channel = s.channel
  channel.confirm_select
  queue = channel.queue(s.name(:queues), durable: true)
  100.times { |n| channel.default_exchange.publish("message #{n}", routing_key: queue.name, persistent: true, headers: { n: n }) }
  same('confirmed', channel.wait_for_confirms, true)
  eventually('all are counted') { queue.message_count == 100 }
  channel.prefetch(10)
  got = Queue.new
  queue.subscribe(manual_ack: true) do |delivery, properties, body|
    channel.ack(delivery.delivery_tag)
    got << [body, properties.headers['n']]
  end
  100.times { |n| same('message', next_of(got), ["message #{n}", n]) }
end

STORIES['returns'] = lambda do |s|
  channel = s.channel
  exchange = channel.fanout(s.name(:exchanges), durable: true)
  back = Queue.new
  exchange.on_return { |info, _, body| back << [info.reply_code, info.reply_text, body] }
  exchange.publish('lost', mandatory: true)
  same('returned', next_of(back), [312, 'NO_ROUTE', 'lost'])
end

STORIES['errors'] = lambda do |s|
  queue = s.channel.queue(s.name(:queues), durable: true).name
  refused = begin
    s.channel.queue(queue, durable: false)
  rescue Bunny::PreconditionFailed => error
    error
  end
  same('class', refused.class, Bunny::PreconditionFailed)
  same('text', refused.message.include?("inequivalent arg 'durable' for queue '#{queue}'"), true)
  same('there', s.connection.queue_exists?(unique('missing')), false)
  same('there', s.connection.exchange_exists?('amq.topic'), true)
end

# It is told that its connection was closed, comes back, and consumes again.
def outlives(s, connection)
  channel = connection.create_channel
  queue = channel.queue(s.name(:queues), durable: true)
  got = Queue.new
  # Acknowledged: what goes to a consumer whose connection is lost comes again.
  queue.subscribe(manual_ack: true) do |delivery, _, body|
    got << body
    channel.ack(delivery.delivery_tag)
  end
  s.channel.default_exchange.publish('before', routing_key: queue.name)
  same('first', next_of(got), 'before')
  yield
  counts = s.channel
  eventually('it consumes again') { connection.open? && counts.queue(queue.name, passive: true).consumer_count == 1 }
  s.channel.default_exchange.publish('after', routing_key: queue.name)
  second = next_of(got)
  # The connection may end before the acknowledgement of the first has arrived: then that one comes again.
  second = next_of(got) if second == 'before'
  same('second', second, 'after')
end

STORIES['cut'] = ->(s) { outlives(s, s.connect(ENV.fetch('PROXY_URL'))) { proxy('cut') } }

STORIES['closed-over-the-api'] = lambda do |s|
  name = unique('bunny')
  outlives(s, s.connect(ENV.fetch('AMQP_URL'), connection_name: name)) do
    found = eventually('the API lists the connection') do
      JSON.parse(api(:Get, 'connections').body).find { |each| each.dig('client_properties', 'connection_name') == name }
    end
    same('status', api(:Delete, "connections/#{URI.encode_www_form_component(found['name']).gsub('+', '%20')}").code, '204')
    # Seen from here: the old one is gone from the list before anybody counts its consumers.
    eventually('it is gone') do
      JSON.parse(api(:Get, 'connections').body).none? { |each| each['name'] == found['name'] }
    end
  end
end

# Sneakers with its handler Maxretry: a queue for retries that goes back by an exchange, and one for errors.
STORIES['sneakers-retries'] = lambda do |s|
  channel = s.channel
  work = s.name(:queues)
  retrying, requeue, error = %w[-retry -retry-requeue -error].map { |suffix| s.name(:exchanges, "#{work}#{suffix}") }
  main = channel.direct(s.name(:exchanges), durable: true)
  exchanges = [retrying, error, requeue].map { |each| channel.topic(each, durable: true) }
  arguments = { 'x-dead-letter-exchange': requeue, 'x-message-ttl': 100 }
  channel.queue(s.name(:queues, retrying), durable: true, arguments: arguments).bind(exchanges[0], routing_key: '#')
  channel.queue(s.name(:queues, error), durable: true).bind(exchanges[1], routing_key: '#')
  queue = channel.queue(work, durable: true, arguments: { 'x-dead-letter-exchange': retrying })
  queue.bind(main, routing_key: work)
  queue.bind(exchanges[2], routing_key: '#')
  channel.prefetch(10)
  got = Queue.new
  queue.subscribe(manual_ack: true) do |delivery, properties, body|
    deaths = (properties.headers || {})['x-death'] || []
    failures = deaths.find { |each| each['queue'] == work }&.fetch('count') || 0
    got << failures
    if failures < 2
      channel.reject(delivery.delivery_tag, false)
    else
      exchanges[1].publish(body, routing_key: work)
      channel.ack(delivery.delivery_tag)
    end
  end
  main.publish('job', routing_key: work, persistent: true)
  same('failures before', Array.new(3) { next_of(got) }, [0, 1, 2])
  eventually('it is among the errors') { channel.queue(error, passive: true).message_count == 1 }
end

# Hutch: one topic exchange, a queue for each consumer with the type that is set, prefetch, confirms; it asks the API for bindings that are
# left over, and takes them away.
STORIES['hutch'] = lambda do |s|
  channel = s.channel
  channel.confirm_select
  channel.prefetch(5)
  exchange = channel.topic(s.name(:exchanges), durable: true)
  queue = channel.queue(s.name(:queues), durable: true, arguments: { 'x-queue-type': 'quorum' })
  %w[mc.message mc.old].each { |key| queue.bind(exchange, routing_key: key) }
  same('exchanges', api(:Get, 'exchanges').code, '200')
  found = JSON.parse(api(:Get, 'bindings').body).select { |each| each['destination'] == queue.name && each['source'] == exchange.name }
  same('bindings', found.map { |each| each['routing_key'] }.sort, %w[mc.message mc.old])
  queue.unbind(exchange, routing_key: 'mc.old')
  got = Queue.new
  queue.subscribe(consumer_tag: unique('hutch'), manual_ack: true) do |delivery, properties, body|
    channel.ack(delivery.delivery_tag, false)
    got << [JSON.parse(body), properties.content_type]
  end
  exchange.publish('{"n":1}', routing_key: 'mc.old', content_type: 'application/json', persistent: true)
  exchange.publish('{"n":2}', routing_key: 'mc.message', content_type: 'application/json', persistent: true, message_id: SecureRandom.uuid)
  same('confirmed', channel.wait_for_confirms, true)
  same('message', next_of(got), [{ 'n' => 2 }, 'application/json'])
end

def attempt(story)
  session = nil
  Timeout.timeout(STORY_SECONDS, Failed, "not done within #{STORY_SECONDS} s") do
    raise Failed, 'no such story' unless story

    session = Session.new
    story.call(session)
  ensure
    session&.close
  end
  nil
rescue StandardError => error
  warn(error.full_message)
  "#{"#{error.class}: " unless error.is_a?(Failed)}#{error.message}".split.join(' ')
end

$stdout.sync = true
wanted = ARGV.empty? ? STORIES.keys : ARGV
failed = wanted.count do |name|
  reason = attempt(STORIES[name])
  puts(reason ? "FAIL #{name}: #{reason}" : "ok #{name}")
  reason
end
puts "#{wanted.size - failed} passed, #{failed} failed"
exit!(failed.zero? ? 0 : 1)
