export { startConsumer, type Consumer, type ConsumerOptions, type Delivery, type Disposition, type Summary } from "./consumer.ts";
export {
  createDispatcher,
  openQueueForDashboard,
  queueName,
  type Dispatch,
  type DispatchData,
  type Dispatcher,
  type Order,
} from "./dispatcher.ts";
export { QueueError, type QueueCode } from "./errors.ts";
export { openListener, type Listener } from "./listener.ts";
export { plainJobId } from "./plain.ts";
export { queueTelemetry, type QueueTelemetry } from "./telemetry.ts";
export { connectRedis, type RedisOptions } from "./redis.ts";
