import { Chat } from "./chat.js";

export default {
  render({ model, el }) {
    const chat = new Chat(model, el);
    return () => chat.close();
  },
};
