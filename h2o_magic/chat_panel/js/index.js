import { Place } from "./dock.js";

export default {
  render({ model, el }) {
    const place = new Place(model, el);
    return () => place.close();
  },
};
