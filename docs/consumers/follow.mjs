// Follows the events of Bursar as they happen, and goes on where it was after any break. Needs nothing but Node 20.
//
//   node follow.mjs http://127.0.0.1:8080 [PARAMETERS]     such as: type=funds_deposited  or: from=latest  or: to=100
//
// Prints a line for each event: its position, type and stream. With to=POSITION it ends there.

const [base, parameters = ""] = process.argv.slice(2);
let lastEventId = "";
let over = false;

async function follow() {
  const headers = { accept: "text/event-stream" };
  if (lastEventId) headers["last-event-id"] = lastEventId;
  const response = await fetch(`${base}/v1/events/stream?${parameters}`, { headers });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  let rest = "";
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const messages = (rest + text).split("\n\n");
    rest = messages.pop();
    for (const message of messages) {
      const fields = Object.fromEntries(message.split("\n").filter((line) => !line.startsWith(":"))
        .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
      if (fields.event === "problem") throw new Error(fields.data);
      if (fields.data) {
        const event = JSON.parse(fields.data);
        console.log(event.id, event.type, event.subject);
      }
      // After what was done with the event. Whoever keeps results keeps this id beside them, in one transaction.
      if (fields.id) lastEventId = fields.id;
    }
  }
  const to = new URLSearchParams(parameters).get("to");
  over = to !== null && Number(lastEventId) >= Number(to);
}

while (!over) {
  try {
    await follow();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // what is no break of the connection is a mistake
  }
  if (!over) await new Promise((resume) => setTimeout(resume, 1000));
}
