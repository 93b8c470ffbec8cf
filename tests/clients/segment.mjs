// What a shop's server does with Segment's client: node segment.mjs <folder of the client> <host> <key> <user> <order>
import { createRequire } from "node:module";

const [folder, host, writeKey, userId, orderId] = process.argv.slice(2);
const { Analytics } = createRequire(`${folder}/`)("@segment/analytics-node");

const analytics = new Analytics({ writeKey, host, flushInterval: 50 });
const failed = [];
analytics.on("error", (error) => failed.push(error));

const timestamp = new Date("2026-11-20T04:03:11.000Z");
analytics.identify({ userId, traits: { name: "李雷", email: `${userId}@example.com` } });
analytics.track({
  userId,
  timestamp,
  event: "Order Completed",
  properties: {
    order_id: orderId,
    total: 27.5,
    currency: "USD",
    products: [{ product_id: "p-1", name: "Monopoly", price: 12.1, quantity: 2 }],
  },
});
analytics.track({ userId, event: "Signed Up", properties: { plan: "gold" } });
analytics.page({ userId, name: "Home", properties: { url: "https://shop.example/" } });
analytics.screen({ userId, name: "Basket" });
analytics.group({ userId, groupId: "g-1", traits: { name: "Initech" } });
analytics.alias({ userId, previousId: `before-${userId}` });

await analytics.closeAndFlush({ timeout: 20000 });
if (failed.length) {
  console.error(failed);
  process.exit(1);
}
