export { kubectlBinary, mongodBinary, redisBinary } from "./binaries.ts";
export { DevstackError } from "./errors.ts";
export type { DevstackCode } from "./errors.ts";
export { startMongo } from "./mongo.ts";
export type { Mongo, MongoOptions } from "./mongo.ts";
export { startRedis } from "./redis.ts";
export type { Redis, RedisOptions } from "./redis.ts";
export { startSshHost } from "./ssh-host.ts";
export type { SshHost, SshHostOptions } from "./ssh-host.ts";
